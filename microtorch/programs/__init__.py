"""The programs behind the command ``microtorch``: draw and step, the demo, the tour, the doctor."""
