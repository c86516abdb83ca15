package web

import "strconv"

// paging says where a page of a list stands. Every list has it.
type paging struct {
	Total  int     `json:"total"` // entries on all pages
	Offset int     `json:"offset"`
	Next   *string `json:"next"` // path and query of the next page; null: this is the last one
}

// paging describes the page of a list that has n entries from offset on, of total.
func (r *request) paging(total, offset, n int) paging {
	p := paging{Total: total, Offset: offset}
	if next := offset + n; n > 0 && next < total && next <= maxOffset {
		query := r.URL.Query()
		query.Set("offset", strconv.Itoa(next))
		link := r.URL.Path + "?" + query.Encode()
		p.Next = &link
	}
	return p
}
