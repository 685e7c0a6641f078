import './styles/index.css';
import { Chat } from './chat/chat';
import { keyEvents } from './connection/key';
import { Live, type LinkState } from './connection/live';
import type { ServedRequest, Stats } from './contract';
import { byId, setText } from './dom';
import { setBlockTokens } from './explain/blocks';
import { Fleet } from './fleet/fleet';
import { ConnectionView } from './header/connection';
import { wireKeyDialog } from './header/keyDialog';
import { wireTheme } from './header/theme';
import { showServer, showTotals } from './header/totals';
import { wireEvictDialog } from './map/evictDialog';
import { PrefixMap } from './map/prefixMap';
import { wireWarmForm } from './map/warmForm';
import { showMisses } from './requests/misses';
import { RequestList } from './requests/requestList';
import { TierStrip } from './tiers/tierStrip';
import { Trends } from './trends/trends';
import { Views } from './views/views';

wireTheme();
wireKeyDialog();
wireEvictDialog();
setText(byId('address'), location.host);

let serverTime = Date.now() / 1000;
let linked: LinkState['kind'] = 'connecting';
const tiers = new TierStrip();
const requests = new RequestList();
const trends = new Trends();
const map = new PrefixMap(() => serverTime);
const views = new Views();
const connection = new ConnectionView(() => live.retryNow());
const live = new Live({ state: showState, stats: showStats, request: showRequest });
new Chat();
wireWarmForm(() => map.refreshSoon(0));
keyEvents.addEventListener('changed', () => map.refreshSoon(0));
keyEvents.addEventListener('changed', () => views.refreshSoon(0));
void live.run();
void new Fleet().run();

/** Whatever happened while nobody listened is asked for when the connection is back. */
function showState(state: LinkState): void {
  if (state.kind === linked) return;
  linked = state.kind;
  connection.show(state);
  if (state.kind !== 'live') return;
  void requests.load();
  map.refreshSoon(0);
}

function showStats(stats: Stats): void {
  serverTime = stats.time;
  setBlockTokens(stats.model.block_tokens);
  showServer(stats);
  showTotals(stats);
  tiers.update(stats);
  views.update(stats);
  showMisses(stats);
  trends.addStats(stats);
}

function showRequest(request: ServedRequest): void {
  requests.add(request);
  trends.addRequest(request);
  map.refreshSoon();
  if (request.kvasir?.retention) views.refreshSoon();
}
