package server

import "net/http"

// Limit is the most.
const Limit = 10

const (
	A = iota // first
	B
)

var ErrClosed = errors.New("closed")

// Server answers.
type Server[T any] struct {
	addr string
	mu   sync.Mutex
}

type (
	Handler interface {
		Serve(w http.ResponseWriter)
	}
	Names []string
)

// Start listens
// for requests.
func (s *Server[T]) Start(addr string) error {
	const local = 1
	var other int
	return nil
}

func New() *Server[int] { return nil }
