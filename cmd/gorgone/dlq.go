package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/queue"
)

func newDLQ(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, retry or drop them",
		Long: `Messages that no worker could read, that brought out a fault of the program, or
that were delivered again and again without an answer are kept as dead letters
for 14 days, with the reason. Nothing is lost by one: its tweets stay tracked
and fall due again, and its refresh was answered with the reason.

Dead letters are named by their numbers, by ranges of them (3-17), or by "all".`,
		Example: `  gorgone dlq list
  gorgone dlq show 12
  gorgone dlq retry 12 15-20
  gorgone dlq drop all --yes`,
	}
	cmd.AddCommand(newDLQList(a), newDLQShow(a),
		newDLQEach(a, "retry", "Do again what they asked for, and drop them", `Do again what dead letters asked for, and drop them.

A batch is published again while its claim holds. After that it would be in
vain, and nothing of it is published: those of its tweets that still back off
are made due now, which does no harm to the others. A refresh is asked for
again. A message that this version cannot read is left as it is.`, retryDeadLetter),
		newDLQEach(a, "drop", "Delete them", "Delete dead letters.", dropDeadLetter))
	return cmd
}

// deadLetterLine is a dead letter as it is printed.
type deadLetterLine struct {
	Seq        uint64          `json:"seq"`
	Lane       queue.Lane      `json:"lane"`
	Reason     string          `json:"reason"`
	Deliveries int             `json:"deliveries"`
	FirstSeen  *time.Time      `json:"first_seen"` // null: not known
	At         time.Time       `json:"at"`
	Subject    string          `json:"subject,omitempty"`
	MsgID      string          `json:"msg_id,omitempty"`
	Stream     string          `json:"stream,omitempty"`
	StreamSeq  uint64          `json:"stream_seq,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`        // the message, if it is JSON
	Base64     string          `json:"body_base64,omitempty"` // the message, if it is not
}

func lineOf(d queue.DeadLetter) deadLetterLine {
	l := deadLetterLine{
		Seq: d.Seq, Lane: d.Lane, Reason: d.Reason, Deliveries: d.Deliveries, At: d.At,
		Subject: d.Subject, MsgID: d.MsgID, Stream: d.Stream, StreamSeq: d.StreamSeq,
	}
	if !d.FirstSeen.IsZero() {
		l.FirstSeen = &d.FirstSeen
	}
	if json.Valid(d.Body) {
		l.Body = d.Body
	} else {
		l.Base64 = base64.StdEncoding.EncodeToString(d.Body)
	}
	return l
}

func newDLQList(a *app) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the newest first",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 100_000 {
				return usageError("--limit %d: want 1 to 100,000", limit)
			}
			var open resources
			defer open.close()
			q, err := a.findQueue(cmd.Context(), "dlq", &open)
			if err != nil {
				return err
			}
			list, err := q.DeadLetters(cmd.Context(), limit)
			if err != nil {
				return err
			}
			if asJSON {
				lines := make([]deadLetterLine, len(list))
				for i, d := range list {
					lines[i] = lineOf(d)
				}
				return json.NewEncoder(a.out).Encode(lines)
			}
			if len(list) == 0 {
				a.printf("no dead letters\n")
				return nil
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SEQ\tAT\tLANE\tDELIVERIES\tREASON")
			for _, d := range list {
				fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%.100s\n", d.Seq, d.At.UTC().Format(time.DateTime), d.Lane, d.Deliveries, d.Reason)
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "so many at most (1 to 100,000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the messages")
	return cmd
}

func newDLQShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SEQ",
		Short: "Show a dead letter with its message",
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usageError("%q is not the number of a dead letter; gorgone dlq list shows them", args[0])
			}
			var open resources
			defer open.close()
			q, err := a.findQueue(cmd.Context(), "dlq", &open)
			if err != nil {
				return err
			}
			d, err := q.DeadLetter(cmd.Context(), seq)
			if errors.Is(err, queue.ErrNoDeadLetter) {
				return &exitError{exitNotFound, fmt.Errorf("%w; gorgone dlq list shows which there are", err)}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(lineOf(d))
			}
			a.printDeadLetter(d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printDeadLetter(d queue.DeadLetter) {
	first := "not known"
	if !d.FirstSeen.IsZero() {
		first = d.FirstSeen.UTC().Format(time.RFC3339)
	}
	a.printf("reason      %s\nlane        %s\ndeliveries  %d\nfirst seen  %s\ngiven up    %s\nfrom        %s, message %d, subject %s\n",
		d.Reason, d.Lane, d.Deliveries, first, d.At.UTC().Format(time.RFC3339), d.Stream, d.StreamSeq, d.Subject)
	switch {
	case d.Body == nil:
		a.printf("message     not kept\n")
	case json.Valid(d.Body):
		a.printf("message     %s\n", d.Body)
	default:
		a.printf("message     %q\n", d.Body)
	}
}

// dlqTools are what dead letters are worked off with.
type dlqTools struct {
	queue *queue.Queue
	open  func(context.Context) (database, error) // the database; opened once, when it is needed
}

// newDLQEach is a command that does something to each dead letter named. do
// returns what it did.
func newDLQEach(a *app, name, short, long string, do func(context.Context, dlqTools, queue.DeadLetter) (string, error)) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use: name + " SEQ|FROM-TO|all ...", Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("say which: numbers, ranges (3-17) or all: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := parseSelection(args)
			if err != nil {
				return err
			}
			var open resources
			defer open.close()
			q, err := a.findQueue(cmd.Context(), "dlq", &open)
			if err != nil {
				return err
			}
			seqs, err := chosen.of(cmd.Context(), q)
			if err != nil {
				return err
			}
			if chosen.many && len(seqs) > 0 && !yes {
				if err := a.confirm(fmt.Sprintf("%s %d dead letters?", name, len(seqs))); err != nil {
					return err
				}
			}
			return a.eachDeadLetter(cmd.Context(), q, seqs, asJSON, &open, do)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before many are worked off")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// eachDeadLetter goes on after one that fails, and fails in the end.
func (a *app) eachDeadLetter(ctx context.Context, q *queue.Queue, seqs []uint64, asJSON bool, open *resources,
	do func(context.Context, dlqTools, queue.DeadLetter) (string, error),
) error {
	type result struct {
		Seq    uint64 `json:"seq"`
		Result string `json:"result,omitempty"`
		Error  string `json:"error,omitempty"`
	}
	var d *database
	tools := dlqTools{queue: q, open: func(ctx context.Context) (database, error) {
		if d == nil {
			opened, err := a.findDatabase(ctx, "dlq", open)
			if err != nil {
				return database{}, err
			}
			d = &opened
		}
		return *d, nil
	}}
	results := make([]result, 0, len(seqs))
	var failed, missing int
	for _, seq := range seqs {
		var did string
		letter, err := q.DeadLetter(ctx, seq)
		if err == nil {
			did, err = do(ctx, tools, letter)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r := result{Seq: seq, Result: did}
		if err != nil {
			r.Error = err.Error()
			failed++
			if errors.Is(err, queue.ErrNoDeadLetter) {
				missing++
			}
		}
		results = append(results, r)
		switch {
		case asJSON:
		case err != nil:
			a.printf("%d: failed: %v\n", seq, err)
		default:
			a.printf("%d: %s\n", seq, did)
		}
	}
	if asJSON {
		if err := json.NewEncoder(a.out).Encode(results); err != nil {
			return err
		}
	} else if len(seqs) == 0 {
		a.printf("no dead letters\n")
	}
	if failed == 0 {
		return nil
	}
	err := fmt.Errorf("%d of %d dead letters failed", failed, len(seqs))
	if failed == missing {
		return &exitError{exitNotFound, err}
	}
	return err
}

// confirm asks whoever sits there.
func (a *app) confirm(question string) error {
	_, _ = fmt.Fprintf(a.errOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if strings.EqualFold(strings.TrimSpace(answer), "y") || strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return nil
	}
	if err != nil {
		return usageError("nothing was done: nobody answered; --yes does it without asking")
	}
	return usageError("nothing was done")
}
