"""What a buyer asks next to the accuracy; none of it moves the verdict."""
