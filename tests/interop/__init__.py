"""Programs with packages that can't be installed beside the guide; `make interop` runs them in an environment apart."""
