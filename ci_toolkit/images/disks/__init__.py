"""Virtual disks: containers of one raw disk, for hypervisors."""
