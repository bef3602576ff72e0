module github.com/casementhq/casement

go 1.26.8
