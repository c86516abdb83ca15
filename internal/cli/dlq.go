package cli

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

	"gorgone/internal/app"
	"gorgone/internal/cli/terminal"
	"gorgone/internal/failure"
	"gorgone/queue"
	"gorgone/refresh"
)

func newDLQ(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "List, show, retry or drop dead letters",
		Long: `Manage dead letters: messages that no worker could read, that made a worker panic,
or that reached the maximum number of deliveries. They are kept for 14 days, with
the reason. Nothing is lost: their tweets stay tracked and fall due again, and
refreshes were answered with the reason.

Dead letters are named by their numbers, by ranges of them (3-17), or by "all".`,
		Example: `  gorgone dlq list
  gorgone dlq show 12
  gorgone dlq retry 12 15-20
  gorgone dlq drop all --yes`,
	}
	cmd.AddCommand(newDLQList(sh), newDLQShow(sh),
		newDLQEach(sh, "retry", "Retry dead letters and drop them", `Retry what dead letters asked for, and drop them.

A batch is published again while its claim lasts. After that nothing is published;
its tweets that still back off are made due now. A refresh is asked for
again, within the same limits and budget as gorgone refresh. A message that this version cannot read is left as it is.`, retryDeadLetter),
		newDLQEach(sh, "drop", "Delete dead letters", "Delete dead letters.", dropDeadLetter))
	return cmd
}

// deadLetterLine is a dead letter as it is printed.
type deadLetterLine struct {
	Seq        uint64          `json:"seq"`
	Lane       queue.Class     `json:"lane"`
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
		Seq: d.Seq, Lane: d.Class, Reason: d.Reason, Deliveries: d.Deliveries, At: d.At,
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

func newDLQList(sh *shell) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, newest first",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 100_000 {
				return failure.Usagef("--limit %d: want 1 to 100,000", limit)
			}
			q, err := sh.openQueue(cmd.Context())
			if err != nil {
				return err
			}
			defer q.Close()
			list, err := q.DeadLetters(cmd.Context(), limit)
			if err != nil {
				return err
			}
			if asJSON {
				lines := make([]deadLetterLine, len(list))
				for i, d := range list {
					lines[i] = lineOf(d)
				}
				return json.NewEncoder(sh.out).Encode(lines)
			}
			if len(list) == 0 {
				sh.printf("no dead letters\n")
				return nil
			}
			w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SEQ\tAT\tLANE\tDELIVERIES\tREASON")
			for _, d := range list {
				fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", d.Seq, d.At.UTC().Format(time.DateTime), d.Class, d.Deliveries, terminal.Clip(d.Reason, 100))
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "maximum number of rows (1 to 100,000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the messages")
	return cmd
}

func newDLQShow(sh *shell) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SEQ",
		Short: "Show a dead letter with its message",
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return failure.Usagef("%q is not the number of a dead letter; gorgone dlq list shows them", args[0])
			}
			q, err := sh.openQueue(cmd.Context())
			if err != nil {
				return err
			}
			defer q.Close()
			d, err := q.DeadLetter(cmd.Context(), seq)
			if errors.Is(err, queue.ErrNoDeadLetter) {
				return failure.NotFoundf("%w; gorgone dlq list shows which there are", err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(sh.out).Encode(lineOf(d))
			}
			sh.printDeadLetter(d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (sh *shell) printDeadLetter(d queue.DeadLetter) {
	first := "not known"
	if !d.FirstSeen.IsZero() {
		first = d.FirstSeen.UTC().Format(time.RFC3339)
	}
	sh.printf("reason      %s\nlane        %s\ndeliveries  %d\nfirst seen  %s\ngiven up    %s\nfrom        %s, message %d, subject %s\n",
		d.Reason, d.Class, d.Deliveries, first, d.At.UTC().Format(time.RFC3339), d.Stream, d.StreamSeq, d.Subject)
	switch {
	case d.Body == nil:
		sh.printf("message     not kept\n")
	case json.Valid(d.Body):
		sh.printf("message     %s\n", d.Body)
	default:
		sh.printf("message     %q\n", d.Body)
	}
}

// dlqTools are what the handling of dead letters needs.
type dlqTools struct {
	queue  *app.Queue
	caller refresh.Caller                               // of the refreshes that are retried
	open   func(context.Context) (*app.Database, error) // the database; opened once, when it is needed
}

// newDLQEach is a command that does something to each dead letter named. do
// returns what it did.
func newDLQEach(sh *shell, name, short, long string, do func(context.Context, dlqTools, queue.DeadLetter) (string, error)) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use: name + " SEQ|FROM-TO|all ...", Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return failure.Usagef("say which: numbers, ranges (3-17) or all: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := parseSelection(args)
			if err != nil {
				return err
			}
			q, err := sh.openQueue(cmd.Context())
			if err != nil {
				return err
			}
			defer q.Close()
			seqs, err := chosen.of(cmd.Context(), q.Queue)
			if err != nil {
				return err
			}
			if chosen.many && len(seqs) > 0 && !yes {
				if err := sh.confirm(fmt.Sprintf("%s %d dead letters?", name, len(seqs))); err != nil {
					return err
				}
			}
			return sh.eachDeadLetter(cmd.Context(), q, seqs, asJSON, do)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// eachDeadLetter goes on after one that fails, and fails in the end.
func (sh *shell) eachDeadLetter(ctx context.Context, q *app.Queue, seqs []uint64, asJSON bool,
	do func(context.Context, dlqTools, queue.DeadLetter) (string, error),
) error {
	type result struct {
		Seq    uint64 `json:"seq"`
		Result string `json:"result,omitempty"`
		Error  string `json:"error,omitempty"`
	}
	var d *app.Database
	defer func() {
		if d != nil {
			d.Close()
		}
	}()
	tools := dlqTools{queue: q, caller: sh.refreshCaller(), open: func(ctx context.Context) (_ *app.Database, err error) {
		if d == nil {
			d, err = sh.openDatabase(ctx)
		}
		return d, err
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
			sh.printf("%d: failed: %v\n", seq, err)
		default:
			sh.printf("%d: %s\n", seq, did)
		}
	}
	if asJSON {
		if err := json.NewEncoder(sh.out).Encode(results); err != nil {
			return err
		}
	} else if len(seqs) == 0 {
		sh.printf("no dead letters\n")
	}
	if failed == 0 {
		return nil
	}
	err := fmt.Errorf("%d of %d dead letters failed", failed, len(seqs))
	if failed == missing {
		return failure.NotFoundf("%w", err)
	}
	return err
}

// confirm asks on the terminal.
func (sh *shell) confirm(question string) error {
	_, _ = fmt.Fprintf(sh.errOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(sh.in).ReadString('\n')
	if strings.EqualFold(strings.TrimSpace(answer), "y") || strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return nil
	}
	if err != nil {
		return failure.Usagef("nothing was done: no answer was given; --yes skips the question")
	}
	return failure.Usagef("nothing was done")
}
