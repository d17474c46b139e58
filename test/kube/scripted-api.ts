import type { ExecutionContext } from 'ava';
import { connect, type Connection } from '../../src/kube/connect.ts';
import { scriptedServer, type Exchange } from '../harness/scripted-server.ts';

/** A request to the API server, and how it is answered. */
export interface KubeExchange extends Exchange {
  /** Sends a watch event and leaves the stream open. */
  readonly event: (type: string, object: unknown) => void;
}

export interface ScriptedApi {
  readonly url: string;
  readonly connection: Connection;
  /** How many TCP connections were opened to it. */
  readonly sockets: () => number;
}

/** An API server that answers as the test says, and a connection to it. Both end with the test. */
export const scriptedApi = async (
  t: ExecutionContext,
  answer: (exchange: KubeExchange) => void | Promise<void>,
): Promise<ScriptedApi> => {
  const { url, sockets, close } = await scriptedServer((exchange) =>
    answer({
      ...exchange,
      event: (type, object) => void exchange.response.write(`${JSON.stringify({ type, object })}\n`),
    }),
  );
  const connection = await connect({ server: url });
  t.teardown(async () => {
    await connection.close();
    await close();
  });
  return { url, connection, sockets };
};
