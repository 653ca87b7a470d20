"""What is known of the Edge TPU and its compilers: sizes, versions, operators and rules, each with its source."""
