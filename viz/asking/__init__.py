"""Questions: why is there no gradient, what does this op do, what did training do, what crashed."""
