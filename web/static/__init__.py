"""Files that browsers load; all of them are our own, none comes from another host."""
