"""What only AWS can tell: each question, how it is asked, what is assumed until it is answered."""
