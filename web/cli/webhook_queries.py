"""The GraphQL operations of `headwater webhooks`; a test holds each of them against the schema."""

from typing import Final

_WEBHOOK = """
fragment WebhookParts on Webhook {
  name state reason since actor owner url events documentVersion position
  pending dead delivered failed oldestWaitingAt lastDeliveredAt lastFailedAt lastError
}
"""

_DELIVERY = """
fragment DeliveryParts on WebhookDelivery {
  id type position at state attempts nextAttemptAt lastAttemptAt status error
}
"""

WEBHOOKS: Final = (
    _WEBHOOK
    + """
query Webhooks($first: Int!, $after: String) {
  webhooks(first: $first, after: $after) {
    nodes { ...WebhookParts }
    pageInfo { hasNextPage endCursor }
    position
  }
}
"""
)

WEBHOOK: Final = (
    _WEBHOOK
    + """
query Webhook($name: String!) {
  webhook(name: $name) { ...WebhookParts description document { body } }
}
"""
)

DELIVERIES: Final = (
    _DELIVERY
    + """
query Deliveries($name: String!, $first: Int!, $after: String, $states: [WebhookDeliveryState!]) {
  webhook(name: $name) {
    deliveries(first: $first, after: $after, states: $states) {
      nodes { ...DeliveryParts }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
)

DELIVERIES_WITH_BODIES: Final = (
    _DELIVERY
    + """
query DeliveriesWithBodies($name: String!, $first: Int!, $after: String, $states: [WebhookDeliveryState!]) {
  webhook(name: $name) {
    deliveries(first: $first, after: $after, states: $states) {
      nodes { ...DeliveryParts body }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
)

PAUSE_WEBHOOK: Final = (
    _WEBHOOK
    + """
mutation PauseWebhook($webhook: String!, $reason: String, $key: String!) {
  command: pauseWebhook(webhook: $webhook, reason: $reason, idempotencyKey: $key) {
    position webhook { ...WebhookParts }
  }
}
"""
)

RESUME_WEBHOOK: Final = (
    _WEBHOOK
    + """
mutation ResumeWebhook($webhook: String!, $key: String!) {
  command: resumeWebhook(webhook: $webhook, idempotencyKey: $key) { position webhook { ...WebhookParts } }
}
"""
)

REPLAY_WEBHOOK: Final = (
    _WEBHOOK
    + """
mutation ReplayWebhook($webhook: String!, $from: Long!, $key: String!) {
  command: replayWebhook(webhook: $webhook, fromPosition: $from, idempotencyKey: $key) {
    position webhook { ...WebhookParts }
  }
}
"""
)

RETRY_DEAD: Final = (
    _WEBHOOK
    + """
mutation RetryDead($webhook: String!, $key: String!) {
  command: retryDeadDeliveries(webhook: $webhook, idempotencyKey: $key) { position webhook { ...WebhookParts } }
}
"""
)

TEST_WEBHOOK: Final = (
    _DELIVERY
    + """
mutation TestWebhook($webhook: String!, $key: String!) {
  testWebhook(webhook: $webhook, idempotencyKey: $key) { position delivery { ...DeliveryParts } }
}
"""
)

TESTS: Final = (
    _DELIVERY
    + """
query Tests($name: String!) {
  webhook(name: $name) {
    deliveries(first: 100, states: [TEST, DELIVERED, FAILED]) { nodes { ...DeliveryParts } }
  }
}
"""
)
