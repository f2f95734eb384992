"""Which security fixes the packages of a release bring: what the distributions' security trackers say of them."""
