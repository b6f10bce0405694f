"""What happens over time: where metrics come from, and what is decided from them."""
