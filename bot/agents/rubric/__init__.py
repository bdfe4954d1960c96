"""Work whose only measure is a list of strict criteria: plan, write, grade, improve what is weakest."""
