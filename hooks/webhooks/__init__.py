"""Webhooks out: an outbox follower turns what happened into messages, jobs deliver them, each receiver in order.

Owns the tables `webhook` and `webhook_message`. Sends through `hooks.outbound` alone and decides by
`policies.webhooks`. Wire format: Standard Webhooks (standardwebhooks.com), specification 1.0.
"""
