"""Who uses the page: what their role allows, and the cases that they see."""
