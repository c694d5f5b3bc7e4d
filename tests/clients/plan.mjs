// The plan of the day: one row an issue, the same for every client and every forge.
//
// `does` is played in order, by alice unless it says who; words in `sees...` are waited for. `end` is what a
// person would expect when the day is over:
//   issue    open, closed, gone
//   tasks    the states of its tasks, one for each time it was asked for anew; each has ONE status comment
//   pulls    the states of its pull requests; together they are all that there are
//   answers  what the bot's other comments on the issue say, in order, and no further one
//   reviews  of the bot's, on all its pull requests together; one for each pull request where it is not said
// `mood` tells the agent how to behave (see agent.sh).

const sees = (text) => ['sees', text];
const inReview = sees('in review');
const atWork = ['sleeps'];
const nothing = { tasks: [], pulls: [] };

export const plan = [
  // --- how work is asked for
  {
    title: 'Labelled after it was opened',
    does: [['open'], ['label', 'swage'], inReview, ['merge'], sees('merged')],
    end: { issue: 'closed', tasks: ['merged'], pulls: ['merged'] },
  },
  {
    title: 'Opened with the label',
    does: [['open', { labels: ['swage'] }], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Labelled, thought better of, and labelled again',
    does: [['open'], ['label', 'swage'], ['unlabel', 'swage'], ['label', 'swage'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Edited before it was labelled',
    does: [['open', { title: 'A tpyo' }], ['edit'], ['label', 'swage'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Asked for by a command',
    does: [['open'], ['say', '/swage run'], inReview, ['approve'], ['merge'], sees('merged')],
    end: { issue: 'closed', tasks: ['merged'], pulls: ['merged'] },
  },
  {
    title: 'Asked for twice',
    does: [['open', { labels: ['swage'] }], inReview, ['say', '/swage run'], ['seesAnswer', 'nothing was done']],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'], answers: ['is open for review'] },
  },
  {
    title: 'Asked for in plain words',
    does: [['open'], ['say', '@swage-bot please mend it'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Given to the bot',
    does: [['open'], ['assign', 'bot'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Words of 4 bytes 🦆, *marks* & <b>tags</b>, and as long as nobody should write: '.padEnd(250, 'so '),
    does: [['open', { labels: ['swage'] }], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'For a profile that nobody made',
    does: [['open', { labels: ['swage:docs'] }], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'], answers: ['picks a profile that is not there'] },
  },
  {
    title: 'Of a reader, approved by the label',
    does: [['open', {}, 'reader'], ['label', 'swage'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },

  // --- what asks for nothing
  { title: 'Never labelled', does: [['open'], ['close']], end: { issue: 'closed', ...nothing } },
  { title: 'With another label', does: [['open', { labels: ['bug'] }]], end: { issue: 'open', ...nothing } },
  {
    title: 'Only talked about',
    does: [
      ['open'],
      ['say', 'Shall we let swage run on this?\n\n/swage run'],
      ['say', '> /swage run\n\nNot yet.'],
      ['say', '```\n/swage run\n```'],
      ['say', 'Ask @swage-bots, not me.'],
      ['reword', 'Never mind.', '/swage run'],
    ],
    end: { issue: 'open', ...nothing },
  },
  {
    title: 'Asked for by a reader',
    does: [['open'], ['say', '/swage run', 'reader'], ['seesAnswer', 'this needs the role write']],
    end: { issue: 'open', ...nothing, answers: ['this needs the role write'] },
  },
  {
    title: 'A slip of the pen',
    does: [['open'], ['say', '/swage rnu'], ['seesAnswer', 'Did you mean `/swage run`?']],
    end: { issue: 'open', ...nothing, answers: ['Did you mean `/swage run`?'] },
  },
  {
    title: 'A question that was taken back',
    does: [['open'], ['say', '/swage help'], ['seesAnswer', '/swage fix'], ['unsay', '/swage help']],
    end: { issue: 'open', ...nothing, answers: ['/swage fix'] },
  },
  {
    title: 'Nothing to tell of yet',
    does: [['open'], ['say', '/swage status'], ['seesAnswer', 'there is no task']],
    end: { issue: 'open', ...nothing, answers: ['there is no task'] },
  },

  // --- what stops the work
  {
    title: 'Closed while the agent is at work',
    mood: 'sleepy',
    does: [['open', { labels: ['swage'] }], atWork, ['close'], sees('the issue was closed by alice')],
    end: { issue: 'closed', tasks: ['cancelled'], pulls: [] },
  },
  {
    title: 'Unlabelled while the agent is at work',
    mood: 'sleepy',
    does: [['open', { labels: ['swage'] }], atWork, ['unlabel', 'swage'], sees('the label was removed by alice')],
    end: { issue: 'open', tasks: ['cancelled'], pulls: [] },
  },
  {
    title: 'Deleted while the agent is at work',
    mood: 'sleepy',
    does: [['open', { labels: ['swage'] }], atWork, ['remove']],
    end: { issue: 'gone', tasks: ['cancelled'], pulls: [] },
  },
  {
    title: 'Stopped, then tried again',
    mood: 'sleepy once',
    does: [['open', { labels: ['swage'] }], atWork, ['say', '/swage stop'], sees('alice asked to stop'),
      ['say', '/swage retry'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Closed, then opened again',
    mood: 'sleepy once',
    does: [['open', { labels: ['swage'] }], atWork, ['close'], sees('the issue was closed by alice'),
      ['reopen'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  {
    title: 'Put aside, then taken up',
    mood: 'sleepy once',
    does: [['open', { labels: ['swage'] }], atWork, ['say', '/swage hold'], sees('alice put it aside'),
      ['say', '/swage unhold'], inReview, ['merge'], sees('merged')],
    end: { issue: 'closed', tasks: ['merged'], pulls: ['merged'] },
  },
  {
    title: 'Waits for another one',
    body: '---\ndepends-on: [<To be done first>]\n---\nAfter that.',
    does: [['open', { labels: ['swage'] }], sees('to be closed'), ['close', 'To be done first'], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
  },
  { title: 'To be done first', does: [['open']], end: { issue: 'closed', ...nothing } },

  // --- how it can go
  {
    title: 'Right at the second try',
    mood: 'hasty',
    does: [['open', { labels: ['swage'] }], inReview, ['merge'], sees('merged')],
    end: { issue: 'closed', tasks: ['merged'], pulls: ['merged'] },
  },
  {
    title: 'Never right',
    mood: 'stubborn',
    does: [['open', { labels: ['swage'] }], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['draft'] },
  },
  {
    title: 'Nothing to change',
    mood: 'idle',
    does: [['open', { labels: ['swage'] }], sees('changed nothing')],
    end: { issue: 'open', tasks: ['failed'], pulls: [] },
  },

  // --- what becomes of the pull request
  {
    title: 'Improved on request',
    does: [['open', { labels: ['swage'] }], inReview, ['sayOnPull', '/swage fix write more'], ['seesReviews', 2],
      inReview, ['merge'], sees('merged')],
    end: { issue: 'closed', tasks: ['merged'], pulls: ['merged'], reviews: 2 },
  },
  {
    title: 'Looked at again',
    does: [['open', { labels: ['swage'] }], inReview, ['sayOnPull', '/swage gates'], ['seesReviews', 2], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'], reviews: 2 },
  },
  {
    title: 'Refused for good',
    does: [['open', { labels: ['swage'] }], inReview, ['closePull'], sees('closed'), ['unlabel', 'swage'], ['close'], ['reopen']],
    end: { issue: 'open', tasks: ['closed'], pulls: ['closed'] },
  },
  {
    title: 'Refused, and asked for anew',
    does: [['open', { labels: ['swage'] }], inReview, ['closePull'], sees('closed'), ['say', '/swage run'], inReview],
    end: { issue: 'open', tasks: ['closed', 'in_review'], pulls: ['closed', 'open'] },
  },
  {
    title: 'Merged, and its issue opened again',
    does: [['open', { labels: ['swage'] }], inReview, ['merge'], sees('merged'), ['reopen']],
    end: { issue: 'open', tasks: ['merged'], pulls: ['merged'] },
  },
  {
    title: 'Taken over, and given back',
    does: [['open', { labels: ['swage'] }], inReview, ['push'], sees('a human took over the branch'),
      ['sayOnPull', '/swage takeover'], ['seesReviews', 2], inReview],
    end: { issue: 'open', tasks: ['in_review'], pulls: ['open'], reviews: 2 },
  },
];

/// Played alone, when all the others are through: whatever came before them has been decided by then.
export const last = (title) => ({
  title,
  does: [['open', { labels: ['swage'] }], inReview],
  end: { issue: 'open', tasks: ['in_review'], pulls: ['open'] },
});
