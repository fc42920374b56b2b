"""`python -m gateway` is `ipfs-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
