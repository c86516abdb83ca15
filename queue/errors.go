package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrNotConnected is returned at once by operations that need the server while it is
	// unreachable.
	ErrNotConnected = errors.New("not connected to nats")

	// ErrFull is returned when a stream holds as many messages as it may. The dispatcher
	// then releases the claim and tries again later.
	ErrFull = errors.New("the queue is full")

	// ErrUnconfirmed is returned when a message was sent and the answer of the server was
	// lost: it may be stored.
	ErrUnconfirmed = errors.New("it is not known whether the queue holds the message")

	// ErrTooLarge is returned for a message that exceeds the size limit of its stream.
	ErrTooLarge = errors.New("the message is too large")

	// errSubjectTaken means that the work queue already holds a message of the subject.
	errSubjectTaken = errors.New("the queue holds a message of this subject")
)

// UnconfirmedError names batches that may be stored: they were sent and the answer of the
// server was lost. Publishing one again while its lease lasts stores it once.
type UnconfirmedError struct {
	Batches []uuid.UUID // ids, in the order of publication
	Err     error       // of the first of them; wraps [ErrUnconfirmed]
}

func (e *UnconfirmedError) Error() string { return e.Err.Error() }
func (e *UnconfirmedError) Unwrap() error { return e.Err }

// Error codes of JetStream's API that the client does not name.
const (
	codeNoPeers         jetstream.ErrorCode = 10005 // these three pass once a cluster has elected its leaders
	codeClusterNotReady jetstream.ErrorCode = 10008
	codeNoResources     jetstream.ErrorCode = 10023
	codeTooLarge        jetstream.ErrorCode = 10054 // over the stream's MaxMsgSize
	codeReplicas        jetstream.ErrorCode = 10074 // more replicas than a standalone server can keep
	codeStoreFailed     jetstream.ErrorCode = 10077 // a limit of the stream was exceeded; the text says which
)

// plain replaces the client's error for a reconnect buffer of length 0.
func plain(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return ErrNotConnected
	}
	return err
}

// publishError maps a limit of a stream to its sentinel error.
func publishError(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return plain(err)
	}
	switch {
	case api.ErrorCode == codeTooLarge:
		return ErrTooLarge
	case api.ErrorCode != codeStoreFailed:
		return err
	case strings.Contains(api.Description, "per subject exceeded"):
		return errSubjectTaken
	case strings.Contains(api.Description, "maximum messages exceeded"), strings.Contains(api.Description, "maximum bytes exceeded"):
		return ErrFull
	default:
		return err
	}
}

// conflict reports whether a key has changed since it was read.
func conflict(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}

// lost reports whether an error may mean that a stream or consumer is gone.
func lost(err error) bool {
	for _, target := range []error{
		jetstream.ErrStreamNotFound, jetstream.ErrNoStreamResponse, jetstream.ErrBucketNotFound,
		jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist,
		jetstream.ErrNoHeartbeat, nats.ErrNoResponders,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// notReady reports whether setting up is worth a retry: the cluster is electing its
// leaders, another process is setting up the same queue, or an answer was lost.
func notReady(err error) bool {
	for _, target := range []error{
		jetstream.ErrStreamNameAlreadyInUse, jetstream.ErrConsumerExists,
		nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeNoPeers, codeClusterNotReady, codeNoResources:
		return true
	default:
		return false
	}
}

// explain adds a remedy to the errors of a misconfigured server.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w (is JetStream enabled? start nats-server with -js)", err)
	case errors.As(err, &api) && api.ErrorCode == codeReplicas:
		return fmt.Errorf("%w (the server is not part of a cluster: set 1 replica)", err)
	default:
		return plain(err)
	}
}
