"""The assistant, judged by what it calls and says."""
