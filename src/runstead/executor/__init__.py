"""What makes runs go: workers that claim them, drivers that execute them, a heartbeat and a reconciler."""
