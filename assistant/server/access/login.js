// A one-time link carries its code behind the #, which browsers do not send and servers do not log.
function useCode() {
  const code = location.hash.slice(1);
  if (!code) return;
  // Pictures wait for whoever logs in: what follows the # is kept on the way to the page.
  if (code.startsWith("handoff=")) {
    document.getElementById("login").action = `/login#${code}`;
    return;
  }
  history.replaceState(null, "", location.pathname);
  document.getElementById("code").value = code;
  document.getElementById("login").submit();
}
addEventListener("hashchange", useCode); // the link was opened while this page was shown
useCode();
