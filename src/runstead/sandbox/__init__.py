"""Where model-written Python runs. Code here treats whatever comes out of a sandbox as written by an attacker."""
