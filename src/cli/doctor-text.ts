import wrapAnsi from 'wrap-ansi';
import type { DoctorSeverity } from '../doctor/check.ts';
import type { Diagnosis, DiagnosisFinding } from '../doctor/diagnose.ts';
import type { Facts } from '../doctor/facts.ts';
import { plain } from './eip-text.ts';

const TITLES: Readonly<Record<DoctorSeverity, string>> = { error: 'ERROR', warning: 'WARNING', info: 'INFO' };

/** The text of others in lines of this width, each behind the indent. */
const wrapped = (text: string, width: number, { first, rest }: { first: string; rest: string }): string =>
  wrapAnsi(plain(text), Math.max(20, width - rest.length), { hard: true, trim: true })
    .split('\n')
    .map((line, index) => `${index === 0 ? first : rest}${line}\n`)
    .join('');

const findingText = ({ id, severity, problem, evidence, remedy }: DiagnosisFinding, width: number): string =>
  [
    `${TITLES[severity]} ${id}\n`,
    wrapped(`${problem}.`, width, { first: '  ', rest: '  ' }),
    wrapped(evidence, width, { first: '  Seen: ', rest: '        ' }),
    wrapped(remedy, width, { first: '  Do:   ', rest: '        ' }),
  ].join('');

/** The same reason is said once, whatever could not be asked for it. */
const unaskedText = ({ unasked }: Diagnosis, width: number): string =>
  unasked.length === 0
    ? ''
    : [
        'Could not be asked:\n',
        ...[...Map.groupBy(unasked, ({ why }) => why)].map(([why, all]) =>
          wrapped(`${all.map(({ what }) => what).join('; ')}, because ${why}`, width, { first: '  - ', rest: '    ' }),
        ),
      ].join('');

const wellText = ({ well, made }: Diagnosis, width: number): string => {
  const areas = well.map(({ area, checks }) => `${area} (${checks})`).join(', ');
  return wrapped(
    `${made} checks were made. ${areas === '' ? 'No part is without a finding.' : `Well: ${areas}.`}`,
    width,
    {
      first: '',
      rest: '',
    },
  );
};

/** What people read: errors, warnings, what is worth knowing; what could not be asked; what is well. */
export const diagnosisText = (diagnosis: Diagnosis, { namespace, version }: Facts, width: number): string =>
  [
    wrapped(`knative-eip ${version} looks at the installation in ${namespace}.`, width, { first: '', rest: '' }),
    ...diagnosis.findings.map((finding) => findingText(finding, width)),
    unaskedText(diagnosis, width),
    wellText(diagnosis, width),
  ]
    .filter((part) => part !== '')
    .join('\n');
