"""Work whose only measure is a list of strict criteria: plan, write, grade, mend what is weakest."""
