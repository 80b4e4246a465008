"""Steps of Scalars: recorded as a list, rolled up into loops, written as C."""
