"""Still pictures: opened safely, decoded upright, with what their files say of themselves."""
