"""The CLIP image encoder: preprocessing, features of pictures, and features of their patches."""
