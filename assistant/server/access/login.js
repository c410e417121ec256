// A one-time link carries its code behind the #, which browsers do not send and servers do not log.
const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("code").value = code;
  document.getElementById("login").submit();
}
