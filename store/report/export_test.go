package report

// Large has r take a table of more rows for a large one, and look at so many rows of an order
// for a page, before it looks at all.
func (r *Reader) Large(rows int64, walk int) { r.manyRows, r.walkRows = rows, walk }
