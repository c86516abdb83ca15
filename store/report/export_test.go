package report

// Large has r take a table of more rows for a large one.
func (r *Reader) Large(rows int64) { r.manyRows = rows }
