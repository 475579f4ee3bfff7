"""`python -m trader_pipeline` is `trader`."""

from trader_pipeline.cli import main

if __name__ == "__main__":
    main()
