package faultp11_test

func child(string) int { return 0 }
