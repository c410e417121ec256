"""The agent: calls tools until it can answer a user's question, and yields typed steps."""
