"""What the steps of playbooks do, one module for each kind."""
