"""One loader a family of data sets."""
