"""What is checked of the templates without deploying them."""
