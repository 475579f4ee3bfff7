"""What keeps a home in order: doctor, mend, janitor, alerts, disk, memory, ports."""
