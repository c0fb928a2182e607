"""What a driver's author tests with: fakes that pass the same tests as the real thing, and the battery of cases."""
