"""``python -m tercel``."""

from tercel.cli.app import main

if __name__ == "__main__":
    main()
