"""What the launcher of the Flex Template runs."""

from pipelines.engines.flex import main

main()
