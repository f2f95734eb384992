"""The names of RPM's tags, as rpm calls them, in small letters."""

from typing import Final

SIGNATURE_TAGS: Final = {
    267: "dsaheader", 268: "rsaheader", 269: "sha1header", 270: "longsigsize", 271: "longarchivesize",
    273: "sha256header", 274: "filesignatures", 275: "filesignaturelength", 276: "veritysignatures",
    277: "veritysignaturealgo",
    1000: "sigsize", 1002: "sigpgp", 1004: "sigmd5", 1005: "siggpg", 1007: "archivesize", 1008: "reservedspace",
}  # fmt: skip

TAGS: Final = {
    100: "headeri18ntable",
    1000: "name", 1001: "version", 1002: "release", 1003: "epoch", 1004: "summary", 1005: "description",
    1006: "buildtime", 1007: "buildhost", 1008: "installtime", 1009: "size", 1010: "distribution", 1011: "vendor",
    1012: "gif", 1013: "xpm", 1014: "license", 1015: "packager", 1016: "group", 1018: "source", 1019: "patch",
    1020: "url", 1021: "os", 1022: "arch", 1023: "prein", 1024: "postin", 1025: "preun", 1026: "postun",
    1027: "oldfilenames", 1028: "filesizes", 1029: "filestates", 1030: "filemodes", 1033: "filerdevs",
    1034: "filemtimes", 1035: "filedigests", 1036: "filelinktos", 1037: "fileflags", 1039: "fileusername",
    1040: "filegroupname", 1043: "icon", 1044: "sourcerpm", 1045: "fileverifyflags", 1046: "archivesize",
    1047: "providename", 1048: "requireflags", 1049: "requirename", 1050: "requireversion", 1051: "nosource",
    1052: "nopatch", 1053: "conflictflags", 1054: "conflictname", 1055: "conflictversion", 1059: "excludearch",
    1060: "excludeos", 1061: "exclusivearch", 1062: "exclusiveos", 1064: "rpmversion", 1065: "triggerscripts",
    1066: "triggername", 1067: "triggerversion", 1068: "triggerflags", 1069: "triggerindex", 1079: "verifyscript",
    1080: "changelogtime", 1081: "changelogname", 1082: "changelogtext", 1085: "preinprog", 1086: "postinprog",
    1087: "preunprog", 1088: "postunprog", 1089: "buildarchs", 1090: "obsoletename", 1091: "verifyscriptprog",
    1092: "triggerscriptprog", 1094: "cookie", 1095: "filedevices", 1096: "fileinodes", 1097: "filelangs",
    1098: "prefixes", 1106: "sourcepackage", 1112: "provideflags", 1113: "provideversion", 1114: "obsoleteflags",
    1115: "obsoleteversion", 1116: "dirindexes", 1117: "basenames", 1118: "dirnames", 1122: "optflags",
    1123: "disturl", 1124: "payloadformat", 1125: "payloadcompressor", 1126: "payloadflags", 1132: "platform",
    1140: "filecolors", 1141: "fileclass", 1142: "classdict", 1143: "filedependsx", 1144: "filedependsn",
    1145: "dependsdict", 1146: "sourcepkgid", 1151: "pretrans", 1152: "posttrans", 1153: "pretransprog",
    1154: "posttransprog", 1155: "disttag", 5008: "longfilesizes", 5009: "longsize", 5010: "filecaps",
    5011: "filedigestalgo", 5012: "bugurl", 5034: "vcs", 5035: "ordername", 5036: "orderversion",
    5037: "orderflags", 5046: "recommendname", 5047: "recommendversion", 5048: "recommendflags",
    5049: "suggestname", 5050: "suggestversion", 5051: "suggestflags", 5052: "supplementname",
    5053: "supplementversion", 5054: "supplementflags", 5055: "enhancename", 5056: "enhanceversion",
    5057: "enhanceflags", 5062: "encoding", 5092: "payloaddigest", 5093: "payloaddigestalgo", 5096: "modularitylabel",
    5097: "payloaddigestalt",
}  # fmt: skip
