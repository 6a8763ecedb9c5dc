"""What the launcher of the Flex Template runs."""

from pipelines.flex import main

main()
