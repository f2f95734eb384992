"""See inside images without mounting them and without privileges."""
