"""What is controlled: names, limits and nominal dynamics of arms with seven joints."""
