"""Films -> split -> network -> measured, published bundle. Imports lungcare, never the other way round."""
