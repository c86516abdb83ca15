package web

// Route is a line of the table, for tests that walk it.
type Route struct {
	Method, Pattern string
	Open            bool
}

// Routes lists everything the server answers.
func Routes() (list []Route) {
	for _, rt := range routes() {
		list = append(list, Route{rt.method, rt.pattern, rt.need == open})
	}
	return list
}

// MaxPerUser is how many streams of events a user may read at once.
const MaxPerUser = maxPerUser

// Description is the OpenAPI document.
func Description() []byte { return description }
