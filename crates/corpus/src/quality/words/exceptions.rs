//! Words that are taken apart, or kept whole, against the rules: English contractions, abbreviations, emoticons.
//!
//! These are facts about spaCy's English tokenizer, stated as the patterns they follow.

use hashbrown::HashMap;

const EMOTICONS: &str = r#"
:) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :((
:-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0
:() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.<
._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3
(^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>"#;

/// Kept whole.
const WHOLE: &str = r#"
' \") <space> '' C++ \t \n — a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü.
'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am Ma'am o'clock O'clock
em 'em ll 'll nuff 'nuff 'd a.m. p.m. Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga.
Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb.
Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. Adm. Bros. co. Co. Corp. D.C. Dr. e.g.
E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. Ph.D. Prof. Rep. Rev. Sen. St.
vs. v.s."#;

/// Taken apart at the bars.
const APART: &str = "
y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na got|ta Got|ta
let|'s Let|'s c'm|on C'm|on °|c|. °|f|. °|k|. °|C|. °|F|. °|K|.";

/// Contractions that are words of their own when written without the apostrophe.
const NOT_CONTRACTIONS: &str =
    "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore";

/// Beginnings, and what may be attached to them: `n't|'ve` attaches two parts. Every attachment exists with
/// apostrophes and without, every beginning also with a capital.
const CONTRACTIONS: [(&str, &str); 9] = [
    ("i", "'m 'm|a"),
    ("i you he she it we they", "'ll 'll|'ve 'd 'd|'ve"),
    ("i you we they", "'ve"),
    ("you we they", "'re"),
    ("he she it who what when where why how there that this", "'s"),
    ("who what when where why how there that this these those", "'ll 'll|'ve 'd 'd|'ve"),
    ("who what when where why how there these those", "'re 've"),
    ("ca could do does did had may might must need ought sha should wo would", "n't n't|'ve"),
    ("ai are is was were have has dare", "n't"),
];

/// Participles that lost their g, kept whole with and without the apostrophe.
const CLIPPED: &str = "doin goin nothin nuthin ol somethin lovin havin";

/// Every exception with the byte lengths of its parts.
pub(super) fn all() -> HashMap<String, Vec<usize>> {
    let mut all = HashMap::new();
    let mut add = |parts: &str| {
        all.insert(parts.replace('|', ""), parts.split('|').map(str::len).collect());
    };
    EMOTICONS.split_whitespace().filter(|e| !e.contains('|')).for_each(&mut add);
    WHOLE.split_whitespace().for_each(&mut add);
    APART.split_whitespace().for_each(&mut add);
    for (beginnings, attachments) in CONTRACTIONS {
        for beginning in beginnings.split_whitespace() {
            for attached in attachments.split_whitespace() {
                for beginning in [beginning.to_string(), capital(beginning)] {
                    add(&format!("{beginning}|{attached}"));
                    add(&format!("{beginning}|{}", attached.replace('\'', "")));
                }
            }
        }
    }
    for beginning in ["could", "might", "must", "should", "would"] {
        for beginning in [beginning.to_string(), capital(beginning)] {
            add(&format!("{beginning}|'ve"));
            add(&format!("{beginning}|ve"));
        }
    }
    for word in CLIPPED.split_whitespace() {
        for word in [word.to_string(), capital(word)] {
            add(&word);
            add(&format!("{word}'"));
        }
    }
    for hour in 1..=12 {
        for half in ["a.m.", "am", "p.m.", "pm"] {
            add(&format!("{hour}|{half}"));
        }
    }
    // These three hold the bar itself.
    for emoticon in ["=|", ":|", ":-|"] {
        all.insert(emoticon.to_string(), vec![emoticon.len()]);
    }
    for word in NOT_CONTRACTIONS.split_whitespace() {
        all.remove(word);
    }
    let curly: Vec<(String, Vec<usize>)> = all
        .iter()
        .filter(|(word, _)| word.contains('\''))
        .map(|(word, lens)| with_curly(word, lens))
        .collect();
    all.extend(curly);
    all
}

/// The same exception with typographic apostrophes.
fn with_curly(word: &str, lens: &[usize]) -> (String, Vec<usize>) {
    let mut at = 0;
    let lens = lens.iter().map(|len| {
        let part = &word[at..at + len];
        at += len;
        part.replace('\'', "’").len()
    });
    (word.replace('\'', "’"), lens.collect())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}
