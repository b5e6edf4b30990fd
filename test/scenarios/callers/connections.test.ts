import { describeConnections } from '../../support/connection-suite.ts';

describeConnections(`Node ${process.versions.node}`);
